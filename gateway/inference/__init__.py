"""The one workflow: an alias or a cascade takes pictures, a build's name takes tensors."""
