"""The JSON Schema of what people write, for their editors."""

import json

from pydantic import BaseModel

from controller.common.spec import FILE as SPEC_FILE
from controller.common.spec import Spec
from controller.settings import FILE as POLICY_FILE
from controller.settings import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def spec_schema() -> str:
    """Of `.preview.yaml`, as it is published in `docs/preview.schema.json`."""
    return _text(Spec, SPEC_FILE)


def policy_schema() -> str:
    """Of `mayfly.yaml`."""
    return _text(Policy, POLICY_FILE)


def _text(model: type[BaseModel], title: str) -> str:
    schema = {"$schema": DIALECT, **model.model_json_schema(), "title": title}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
