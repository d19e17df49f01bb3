"""Data sets: characters in many poses, in shards that any trainer can stream.

::

    recipe ──▶ plan: which subjects, on which side of the split, in which shard
                 │
    source ──▶ job: one process a core, a shard at a time ──▶ TRAIN/00000.tar ...
                 │                                             manifest.json
                 └── sampling: the poses of a subject                │
                                                     examples ◀──────┘  read at random
"""
