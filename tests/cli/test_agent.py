import pytest

from controller.access import tokens
from controller.access.model import Scope
from tests.cli.conftest import Mayfly
from tests.probes.examples import NOON

_, TOKEN = tokens.make("berlin", Scope.AGENT, "ada", NOON)
HTTPS = "https://previews.example.com"


@pytest.mark.parametrize(
    ("token", "asked", "said"),
    [
        pytest.param(
            "", ("berlin", HTTPS), "`mayfly token create --name berlin --scope agent` makes it", id="no token"
        ),
        pytest.param("admin" * 8, ("berlin", HTTPS), "put this agent's token into MAYFLY_TOKEN", id="another's token"),
        pytest.param(TOKEN, ("Berlin", HTTPS), "--location: 'Berlin' is no location", id="no location"),
        pytest.param(TOKEN, ("here", HTTPS), "--location: 'here' is no location", id="the controller's"),
        pytest.param(
            TOKEN, ("berlin", "http://previews.example.com"), "is not https: whoever listens", id="in the clear"
        ),
    ],
)
def test_what_an_agent_does_not_start_with(mayfly: Mayfly, monkeypatch, tmp_path, token, asked, said):
    monkeypatch.setenv("MAYFLY_TOKEN", token)
    monkeypatch.setenv("XDG_STATE_HOME", f"{tmp_path}")
    result = mayfly("agent", "--location", asked[0], "--controller", asked[1])
    assert result.exit_code == 2
    assert said in result.stderr
    assert TOKEN not in result.stderr
