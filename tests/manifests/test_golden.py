"""Two whole previews as they are applied, to be read in a review. MAYFLY_GOLDEN=write writes them anew."""

import os
from pathlib import Path

import pytest
import yaml

from tests.manifests.wanted import everything, simple

FOLDER = Path(__file__).parent.parent / "adapters" / "kubernetes" / "golden"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


@pytest.mark.parametrize("make", [simple, everything], ids=["simple", "everything"])
def test_a_whole_preview_is_as_it_was_reviewed(make):
    file = FOLDER / f"{make.__name__}.yaml"
    text = yaml.dump_all(make(), Dumper=_Dumper, sort_keys=False, width=120)
    if os.environ.get("MAYFLY_GOLDEN") == "write":
        file.write_text(text)
    assert file.read_text() == text
