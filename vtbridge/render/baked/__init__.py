"""A prepared character: what was learnt of one picture, shown without the networks."""
