"""How good a model is, on pictures with labels or against another model."""
