"""The view: what the layout has laid out is drawn with prompt_toolkit, and keys go to the model. Thin."""
