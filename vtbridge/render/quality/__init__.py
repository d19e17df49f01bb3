"""Quality levels: which stages are run for a pose, and what of an earlier one is used again.

Every level is a row of ``levels.LEVELS``: where the face comes from (``faces.py``) and how
old the editor's answer may be that bends and repaints the body (``body.py``). They share the
networks of the shown picture (``networks.py``), so that one may take over from another
between two frames.
"""
