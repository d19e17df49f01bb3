"""Distil the networks, for one picture, into a model that a single core shows fluently.

The body: what was tried
------------------------
Numbers are of the body alone (the face is the teacher's), in the box of
``render.benchmark.similarity``, over 30 rotations of a recorded stream that were never
sampled, most of them of its last quarter; samples are half Sobol points, half farthest
points of the first three quarters. "lambda" is lambda_00, "michi" the mascot.

What of the teacher's fields a form can hold at all (lambda, two poses): the flow alone
32.3 dB; everything at 256 pixels 41.3; flow and alpha at 256, and paint (alpha times
colour) that makes up for what they lost, 44.9; paint at 512 over a flow at 256, 48.4; alpha
as one value instead of one a channel costs nothing seen (52.0, the rounding of the test).

==========================================================  =====  =====  ======
Between rotations                                           lambda samples, dB, SSIM
==========================================================  =====  =====  ======
global components of whole fields at 256, in the frame
(prototype, with its gates and dead zones)                   128    33.8   .974
the same                                                    1024    38.0   .990
source places at 512, tiles of 16, paint after bend          128    40.5   .991
the same                                                     256    41.0   .993
the same                                                     640    42.1   .994
known 10 instead of 3 pixels around what is seen,
strays hidden                                                256    41.75  .9948
the same                                                     640    42.7   .996
the same, in the frame instead of source places              256    38.5   .987
==========================================================  =====  =====  ======

- **Stabilising** is what counts: alpha and paint are learnt where the picture's parts are, led
  there by a smooth motion (the grid change under a Gaussian of 16 pixels) that is undone by
  iterating, to a hundredth of a pixel. How smooth it is hardly matters: from 8 to 40 pixels the
  form holds 48.0 to 47.8 dB; it has to be the same in learning and drawing, and need not be
  right. Without it, all else equal, 3.2 dB are lost. Pixels learnt as they are shown instead of
  what is painted over a bent picture hold 40.1.
- **Resolution**: source places at 256 hold 41.7 dB, at 512 48.0, the bend alone at 256 44.7;
  so all are at 512, and tiles pay only for what happens in them.
- **One after the other**: bend is fitted first, and paint to what is left over the picture
  as the model bends it, which takes in what components and rounding lost.
- **Tiles have few directions, but those of all tiles hang together**: latents shared by all
  of them (512 samples): 160 give 41.1 dB, 256 41.8, 400 42.2. Mixing in 16 bits, because it
  is most of what is read a frame after the tiles themselves.
- **Between rotations** the kernel matters little (512 samples): cubic 41.9, linear 41.6,
  quintic with the same smoothing 33.7; scales chosen by leaving out .3 dB over equal ones,
  mostly because breathing is nearly linear; smoothing 1e-4 costs .1 over 1e-2.
- **What is hidden**: where the teacher shows nothing there is nothing to learn, and parts
  that had gone behind others came back as shreds. Keeping the teacher's own fields 10
  pixels beyond what is seen tells how things come and go (lambda +1.1 dB with 256 samples,
  michi with 245 from 38.4 and .988 to 40.0 and .991); only beyond that, where the model's
  own bend would show something, paint hides it. Gates and dead zones on alpha, which the
  prototype needed, are gone.
- **Flicker** (``flicker.py``, 28 frames a path, lambda, 256 samples): 0.88 of the teacher's on
  the head sweep, 1.01 idle.
- **Time**: a frame takes 6.7 ms of a 2.5 GHz core with AVX-512 (2.9 for the tiles, 3.8 for
  the pixels), 640 samples, 320 latents, 19.7 MB; a fit .1 to .2 s a sample.
- Not tried: a convolutional residual, colours in gamma space, tiles of other sizes.

The face: what was tried
------------------------
39 parameters to the weights of 320 pictures of differences (principal components in 8 bits), by
a Gaussian process whose kernel is a sum over the parts of the face and learns to bend their
parameters (``face_kernel``); everything but those bends is in closed form (``face_basis``,
``face_lesson``). Held-out poses: 120 of a recording's last third, which go beyond what its first
two thirds show, and 60 composed ones; dB in the box of what the face crop shows, lambda_00
unless told, one core.

- What moves is small: 7 500 to 8 100 of 147 456 values. Held-out faces projected onto K rows
  are at 44.8 dB with K = 64, 47.9 with 128, 51.4 with 256, 53.6 with 384, and 52.4 with 320 in
  8 bits (of the whole crop; Michi 47.6); the face at rest is at 28.4.
- Recorded / composed, after 6 to 12 s of training: 44.7 / 40.2 dB with 400 faces, 47.2 / 43.8
  with 1121, 46.8 / 44.7 with 1611 (17 s). Michi: 42.4 / 38.2 with 689 (before the part for the
  whole face), 43.7 / 40.2 with 1099. Twice the seconds give 0 to .6 dB: faces tell more than
  training does.
- Tried on the same 1121 faces (of the whole crop, 1.1 dB more than in the box): a kernel of
  scaled parameters only 45.5 / 42.2; bent ones 46.9 / 44.5; bent ones and one more for the whole
  face 48.4 / 45.2. Matern 5/2 46.8 / 43.6, rational quadratic 46.9 / 44.0. A network of 3 x 96
  units a part on the same coordinates 44.9 / 40.8 after 40 s; with its last layer solved by
  least squares 32 (500 faces). 1280 points chosen by pivoted Cholesky out of 1611 lose .05 dB.
- Live .7 to 1.4 ms a face on one core, idle or shared, 4.8 MB; a convolutional student takes
  3 to 5 ms.
"""
