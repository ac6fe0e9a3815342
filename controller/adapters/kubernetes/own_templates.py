"""Fills Jinja2 templates of a pull request, in a process of its own: a template can loop for ever, or ask for all the
memory there is. Started by `tools.fill`, within limits; `job.json` has `templates` by file and `values`.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_FILLED = 2**20
"""Characters that one template may become."""


def _main(job: str) -> int:
    wanted = json.loads(Path(job).read_text())
    made: dict[str, str] = {}
    for name, text in wanted["templates"].items():
        try:
            made[name] = filled(text, wanted["values"])
        except TemplateSyntaxError as error:
            return _fail(f"{name}: line {error.lineno}: {error.message}")
        except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            return _fail(f"{name}: {error}")
        except (MemoryError, RecursionError):
            return _fail(f"{name}: it takes too much memory")
    sys.stdout.write(json.dumps(made))
    return 0


def filled(text: str, values: Mapping[str, str]) -> str:
    """Raises what Jinja2 and the expressions in it do, and ValueError where it becomes too long."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,  # YAML, not HTML; what is quoted is quoted with `| tojson`
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    parts: list[str] = []
    length = 0
    for part in environment.from_string(text).generate(values):
        length += len(part)
        if length > MAX_FILLED:
            raise ValueError(f"it becomes longer than {MAX_FILLED:,} characters")
        parts.append(part)
    return "".join(parts)


def _fail(words: str) -> int:
    sys.stderr.write(" ".join(words.split())[:500])
    return 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
