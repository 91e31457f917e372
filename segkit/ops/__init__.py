"""Pure functions on tensors: no state, any Keras backend."""
