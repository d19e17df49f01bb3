"""The only place that knows every stage: wires them and runs them."""
