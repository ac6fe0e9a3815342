"""What an order makes of a record, and what the containers of a preview are: pure, so told in tables."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.adapters.kubernetes import changes, environment, names, record
from controller.adapters.kubernetes.shapes import SecretKey
from controller.adapters.shared.orders import Aim
from controller.common.nouns import Phase, PreviewKey
from controller.common.spec import parse
from controller.errors import Refused
from controller.previews.model import DeployOrder
from controller.settings import Images, Kubernetes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHA, NEXT = "a" * 40, "b" * 40
KEY = PreviewKey("acme/shop", 7)
CLUSTER = Kubernetes(images=Images(runner="runner:1"))
URL = "http://pr-7-shop.localhost:8080"


def a_spec(services="web: {command: serve, port: 8000}", more=""):
    return parse(f"services: {{{services}}}\n{more}", SHA)


def an_order(revision=SHA, *, order=0, spec=None, fresh=False):
    return DeployOrder(KEY, revision, spec or a_spec(), "pr-7-shop", order, fresh_database=fresh)


def a_record(order=None, **more):
    ready = {"aim": Aim.RUN, "phase": Phase.READY, "database_clean": True}
    return replace(record.first(order or an_order(), NOW), **(ready | more))


def kept(**postgres):
    words = ", ".join(f"{name}: {value}" for name, value in ({"migrate": "migrate"} | postgres).items())
    return a_spec(more=f"database: {{postgres: {{{words}}}}}")


class TestOrders:
    def test_the_same_order_again_changes_nothing(self):
        assert changes.ordered(a_record(), an_order()) == a_record()

    @pytest.mark.parametrize("order", [an_order(NEXT), an_order(order=3)], ids=["a push", "asked for again"])
    def test_another_one_is_deployed_from_the_beginning(self, order):
        after = changes.ordered(a_record(steps=("old",), crashed=True, reason="it crashed"), order)
        assert (after.aim, after.phase, after.steps, after.reason) == (Aim.DEPLOY, Phase.STARTING, (), "")
        assert (after.deployed, after.deploy_order, after.crashed) == (2, order.order, False)

    @pytest.mark.parametrize(
        ("order", "clean"),
        [
            pytest.param(an_order(NEXT, spec=kept()), False, id="every push starts from the seed"),
            pytest.param(an_order(NEXT, spec=kept(on_push="keep")), True, id="unless the spec keeps the data"),
            pytest.param(an_order(NEXT, spec=kept(on_push="keep"), fresh=True), False, id="and nobody asks otherwise"),
            pytest.param(an_order(NEXT), False, id="no database"),
        ],
    )
    def test_data_is_kept_only_where_the_spec_says_so(self, order, clean):
        assert changes.ordered(a_record(), order).database_clean is clean

    def test_only_what_starts_at_that_revision_is_given_up(self):
        starting = a_record(aim=Aim.DEPLOY, phase=Phase.STARTING)
        after = changes.given_up(starting, SHA, "too long", {"web": "it is slow"}, "the log")
        assert (after.aim, after.phase, after.reason, after.logs) == (Aim.STOP, Phase.FAILED, "too long", "the log")
        assert after.troubles == {"web": "it is slow"}
        assert changes.given_up(starting, NEXT, "too long", {}, "") == starting
        assert changes.given_up(a_record(), SHA, "too long", {}, "") == a_record()

    def test_sleep_and_wake_go_from_one_to_the_other_and_remember_the_order(self):
        asleep = changes.rested(a_record(), Aim.REST, 5)
        assert (asleep.aim, asleep.phase, asleep.rest_order) == (Aim.REST, Phase.READY, 5)
        again = changes.rested(asleep, Aim.REST, 8)
        assert (again.aim, again.rest_order) == (Aim.REST, 8)
        awake = changes.rested(asleep, Aim.RUN, 6)
        assert (awake.aim, awake.phase, awake.rest_order) == (Aim.RUN, Phase.STARTING, 6)

    def test_a_failed_one_is_not_put_to_sleep(self):
        failed = a_record(aim=Aim.STOP, phase=Phase.FAILED)
        assert changes.rested(failed, Aim.REST, 5) == replace(failed, rest_order=5)

    def test_a_removal_is_asked_for_once(self):
        removed = changes.removed(a_record())
        assert (removed.aim, removed.phase) == (Aim.REMOVE, Phase.TERMINATING)
        assert changes.removed(removed) is removed


class TestRecords:
    def test_a_record_is_read_back_as_it_was(self):
        known = a_record(an_order(spec=kept(on_push="keep")), images={"web:1": "web@sha256:1"})
        assert record.read({"metadata": {"annotations": {names.RECORD: record.write(known)}}}) == known

    @pytest.mark.parametrize("annotations", [{}, {names.RECORD: "{}"}, {names.RECORD: "gone"}])
    def test_what_nobody_can_read_is_none(self, annotations):
        assert record.read({"metadata": {"annotations": annotations}}) is None

    def test_a_spec_that_does_not_fit_is_refused(self):
        large = a_spec(f"web: {{command: serve, port: 1, env: {{BIG: {'x' * record.MAX_BYTES}}}}}")
        with pytest.raises(Refused, match="too large"):
            record.write(a_record(an_order(spec=large)))


class TestContainers:
    def test_a_service_knows_where_it_and_the_others_listen_and_where_its_database_is(self):
        spec = a_spec(
            "web: {command: 'serve {port} {sha}', port: 8000, env: {GREETING: 'hello {number}'}}, "
            "api: {image: 'api:{sha}', port: 9}",
            "database: {postgres: {}}",
        )
        known = a_record(an_order(spec=spec), database_secret="database-1", sources={"all": "source-all-1"})
        web = environment.of_service(known, "web", URL, CLUSTER)
        assert web.command == ("serve", "8000", SHA)
        assert (web.image, web.source) == ("runner:1", "source-all-1")
        assert web.env["API_URL"] == "http://api:9"
        assert (web.env["PORT"], web.env["HOST"], web.env["GREETING"]) == ("8000", "0.0.0.0", "hello 7")
        assert web.secrets == {"DATABASE_URL": SecretKey("database-1", "url")}

    def test_an_image_is_pinned_to_what_was_found_and_runs_as_it_is(self):
        spec = a_spec("web: {image: 'ghcr.io/acme/web:{sha}', port: 8000}")
        known = a_record(an_order(spec=spec), images={f"ghcr.io/acme/web:{SHA}": "ghcr.io/acme/web@sha256:1"})
        web = environment.of_service(known, "web", URL, CLUSTER)
        assert (web.image, web.command, web.source) == ("ghcr.io/acme/web@sha256:1", (), "")
        assert environment.images(known, URL) == (f"ghcr.io/acme/web:{SHA}",)

    def test_a_command_without_an_image_needs_a_runner(self):
        with pytest.raises(Refused, match=r"images\.runner"):
            environment.of_service(a_record(), "web", URL, Kubernetes())

    def test_a_migration_runs_in_the_main_services_image(self):
        spec = a_spec("api: {image: 'api:1', port: 9}, web: {image: 'web:1', port: 80}", "database: {postgres: {}}")
        container = environment.of_command(a_record(an_order(spec=spec)), ("migrate", "{sha}"), URL, CLUSTER, {})
        assert (container.image, container.command, container.source) == ("web:1", ("migrate", SHA), "")

    @pytest.mark.parametrize(
        ("spec", "needed"),
        [
            pytest.param(a_spec(), True, id="a command of its own"),
            pytest.param(a_spec("web: {image: 'web:1', port: 80}"), False, id="an image"),
            pytest.param(
                a_spec("web: {image: 'web:1', port: 80}", "database: {postgres: {migrate: go, seed: [a.sql]}}"),
                False,
                id="an image that migrates; the seed's files come by themselves",
            ),
            pytest.param(
                a_spec("web: {image: 'web:1', port: 80}", "checks: {e2e: [{name: e, command: {run: pytest}}]}"),
                True,
                id="a command that checks",
            ),
            pytest.param(
                a_spec("web: {image: 'web:1', port: 80}", "checks: {e2e: [{name: e, command: {run: go, image: e}}]}"),
                False,
                id="a command that checks in an image of its own",
            ),
        ],
    )
    def test_a_checkout_is_packed_only_where_something_runs_on_it(self, spec, needed):
        assert environment.needs_checkout(a_record(an_order(spec=spec))) is needed
