"""The thin shell around state and frames, where all use of prompt_toolkit by the full screen is."""
