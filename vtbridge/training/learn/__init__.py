"""Train the networks of version 1 on a data set.

::

    recipe ── what to train, one stage after the other
       │
       ▼        examples ── order, mirror, decoding       (batches)
    run ──▶ stage ──▶ lesson: network, inputs, truth      (lessons)
       │                 └──▶ loss                        (losses, perceptual)
       ▼
    RUN/ ── checkpoints, tensorboard, STAGE.safetensors   (checkpoint, journal, network_file)

Which example comes when is a function of the recipe's seed and of how many came before, so
that a run that was interrupted goes on as if it had not been.
"""
