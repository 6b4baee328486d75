"""The sample corpus, one module for each family of formats."""
