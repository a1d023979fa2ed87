"""Everything that talks to Triton. With `gateway.oip`, the only importer of its client library."""
