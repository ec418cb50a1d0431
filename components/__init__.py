"""Pulumi components: one noun a file, wiring and nothing else. What they deploy is decided in `partner_mesh.specs`."""
