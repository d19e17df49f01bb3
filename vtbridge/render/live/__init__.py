"""Live frames: networks on a thread of their own, frames at a steady rate whatever they do."""
