"""The Pulumi program: the engine's configuration → a stack → its resources and outputs."""

from pathlib import Path

import pulumi

from components.program import deploy
from partner_mesh.config.loader import SECTIONS, load_values
from partner_mesh.config.problems import ConfigurationError
from partner_mesh.config.reading import PROJECT


def main() -> None:
    """Read the configuration, which may hold decrypted values here, and deploy it."""
    config = pulumi.Config(PROJECT)
    values = {section: config.get(section) for section in SECTIONS}
    values["region"] = pulumi.Config("aws").get("region")
    try:
        stack = load_values(pulumi.get_stack(), values, Path.cwd())
    except ConfigurationError as error:
        raise pulumi.RunError(str(error)) from None  # every mistake with its place, and no traceback
    deploy(stack)


main()
