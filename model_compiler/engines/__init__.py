"""The runtimes that builds are made for, each behind `engine.Engine`, and whether what they compute is right."""
