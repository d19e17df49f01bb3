"""The networks of Talking Head Anime 3, one readable file each.

The way of the data, float32, NCHW, one picture at a time; colours are linear light,
every channel scaled to -1..1 (``value * 2 - 1``), alpha included and straight::

    picture [1, 4, 512, 512]
      │ BROW_CROP                               once a picture
      ├──────► eyebrow decomposer ──► background, brows [1, 4, 128, 128] each
      │                                  │
      │        pose[0:12] ──► eyebrow combiner ──► brow crop [1, 4, 128, 128]
      │ FACE_CROP                        │ pasted at BROWS_IN_FACE
      ├──────► pose[12:39] ──► face morpher ──► face crop [1, 4, 192, 192]
      │                                  │ pasted at FACE_CROP
      └──────► morphed picture [1, 4, 512, 512] ──┬── halved bilinearly to 256
                                         │        │
               pose[39:45] ──► body rotator ──► warped [1, 4, 256, 256]
                          │              │      grid change [1, 2, 256, 256]
                          │              │ both doubled bilinearly to 512
                          └──► editor ───┴────► frame [1, 4, 512, 512], by way of its
                                                fields: grid change, alpha, colour

The networks alone (``tha3.py``) are the specification and what is trained;
``stages.py`` puts the glue between them inside five exportable modules, and those are
what a runtime runs; the last one ends with the fields, of which the compositor makes the
frame. A grid change is an offset to the identity sampling grid, x then y,
in units of half the picture's side.

Source: P. Khungurn, "Talking Head(?) Anime from a Single Image 3" and the code of its
public demo.
"""
