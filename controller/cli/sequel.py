"""What becomes of main, once the pull request is merged. Each step does something real and proves it.

what is done                              what has to be seen
----------------------------------------  --------------------------------------------------------------------
the pull request was merged               its release is verified: in production, on the commit, on the pull request
a bad change, with a new configuration    rejected by its checks; the one before it is back, its configuration
                                          included, and was checked again; one page; main ran on meanwhile
a person rolls back                       the release before that one; who did it, and why
production is out of order for a moment   its probe pages once, and tells when it is over
"""

from collections.abc import Callable

from controller.cli.chapters import chapter_file
from controller.cli.operator import FIRST_NOTICE, NEXT_NOTICE, PROBE, TARGET
from controller.cli.pager import Told
from controller.cli.proof import Unmet, until
from controller.cli.stage import Stage
from controller.cli.target_seen import CheckRuns, Rollback, Target

PATH = f"/api/v1/targets/{TARGET}"
BAD = "until-when"
"""The branch of the bad change."""
FEW_LEFT = "few left"
"""What was merged shows it, and what was there before does not."""
WITHIN = 120
"""Seconds, of a release or a rollback; as for a preview."""
TOLD_WITHIN = 30
REASON = "people say that it makes them hurry"
DRILL = 3
"""Seconds in which the shop is closed: as many samples of its probe."""


class Sequel:
    """`merged` is the number of the pull request that was."""

    def __init__(self, stage: Stage, merged: Callable[[], int]) -> None:
        self._stage, self._merged = stage, merged
        self._good = ""
        """The revision that was merged."""

    def deployed(self) -> str:
        self._good = self._stage.checkout.main()

        def missing() -> str:
            target = self._target()
            live = target.live
            held = live is not None and live.revision == self._good and live.verdict == "verified"
            return "" if held else _about(target)

        until(f"{self._good[:7]} is verified in {TARGET}", WITHIN, missing)
        self._stage.shows(self._stage.production, FEW_LEFT, FIRST_NOTICE)
        self._on_main(self._good, "success", "is verified", deployment="success")
        self._on_pull(self._merged(), "is verified")
        return f"{self._target().headline}: {self._stage.production}"

    def rolled_back(self) -> str:
        number, bad = self._merge_a_bad_one()
        back = self._back_at(self._good)
        self._stage.shows(self._stage.production, FEW_LEFT, FIRST_NOTICE, never=NEXT_NOTICE)
        self._checked_again(back.to)
        self._on_main(bad, "failure", "rolled back", deployment="failure")
        self._on_pull(number, "Rolled back", "configuration included")
        page = self._paged(f"target:{TARGET}", "firing")
        return f"“{page.title}”: {back.because}"

    def _merge_a_bad_one(self) -> tuple[int, str]:
        """While Mayfly is away, as its operator changes the configuration: both come in one release. Its number and
        revision."""
        stage, before = self._stage, self._stage.main()
        stage.stop()
        stage.checkout.git("switch", "--quiet", "--create", BAD, stage.checkout.main())
        stage.checkout.commit(chapter_file(6))
        number = stage.push(BAD)
        stage.hub.finish(BAD)
        stage.configure(NEXT_NOTICE, watched=True)
        now = stage.main()
        if not now or not set(now) <= set(before):
            raise Unmet(f"{TARGET} runs on as it did: {', '.join(before)}", ", ".join(now))
        stage.start()
        return number, stage.checkout.main()

    def by_hand(self) -> str:
        self._stage.mayfly("rollback", TARGET, "--reason", REASON, "--wait")
        back = self._back_at("", further_than=self._good)
        self._stage.shows(self._stage.production, FIRST_NOTICE, never=FEW_LEFT)
        self._checked_again(back.to)
        if REASON not in back.because:
            raise Unmet(f"the reason is kept: {REASON}", back.because)
        self._on_main(self._good, "failure", "rolled back", deployment="failure")
        self._on_pull(self._merged(), "Rolled back", REASON)
        return f"{self._target().headline}, by {back.because}"

    def alerted(self) -> str:
        about = f"probe:{PROBE}"
        closed = self._stage.page(self._stage.production, f"/drill?seconds={DRILL}", "POST")
        if closed.status != 202:
            raise Unmet("the shop closes for a drill", str(closed))
        begun, over = self._paged(about, "firing"), self._paged(about, "resolved")
        for what in (about, f"target:{TARGET}"):
            self._paged(what, "firing")
        self._stage.shows(self._stage.production, FIRST_NOTICE)
        return f"“{begun.title}”, once; then “{over.title}”"

    def _target(self) -> Target:
        return self._stage.client.get(PATH, Target)

    def _back_at(self, revision: str, further_than: str = "") -> Rollback:
        """Once what was rolled back to works: a revision, or any other than one."""

        def missing() -> str:
            target = self._target()
            live, back = target.live, target.rollback
            if live is None or back is None or back.to != live.number or not back.restored:
                return _about(target)
            there = live.revision == revision if revision else live.revision != further_than
            return "" if there else _about(target)

        until(f"{TARGET} is rolled back to {revision[:7] or f'what was before {further_than[:7]}'}", WITHIN, missing)
        back = self._target().rollback
        assert back is not None  # that was waited for
        return back

    def _checked_again(self, release: int) -> None:
        """The latest run of checks is of what was restored."""
        runs = self._stage.client.get(f"{PATH}/checks", CheckRuns).runs
        seen = ", ".join(f"#{run.release} {run.run.outcome}" for run in runs)
        if not seen.endswith(f"#{release} passed"):
            raise Unmet(f"the checks passed on #{release} at last", seen)

    def _on_main(self, revision: str, outcome: str, words: str, *, deployment: str) -> None:
        hub = self._stage.hub

        def missing() -> str:
            said = hub.on_main(revision, TARGET)
            held = (said.status, said.check, said.deployment) == (outcome, outcome, deployment) and words in said.says
            return "" if held else str(said)

        until(f"{revision[:7]} is told on the forge: {outcome}, {words}", TOLD_WITHIN, missing, hub.pause)

    def _on_pull(self, number: int, *words: str) -> None:
        hub = self._stage.hub

        def missing() -> str:
            comment = hub.deployed(number, TARGET)
            return "" if comment and all(word in comment for word in words) else comment or "no comment"

        until(f"pull request {number} is told {', '.join(words)}", TOLD_WITHIN, missing, hub.pause)

    def _paged(self, about: str, status: str) -> Told:
        """The one page of this. Raises Unmet where there are more."""
        pager = self._stage.pager
        until(f"the pager is told that {about} is {status}", TOLD_WITHIN, lambda: _lacks(pager.pages(about, status)))
        pages = pager.pages(about, status)
        if len(pages) != 1:
            raise Unmet(f"one page: {about} is {status}", "\n".join(f"{page.title}: {page.text}" for page in pages))
        return pages[0]


def _lacks(pages: list[Told]) -> str:
    return "" if pages else "no page"


def _about(target: Target) -> str:
    live, back = target.live, target.rollback
    lines = [f"{target.state}: {target.headline}", target.problem]
    lines += [f"live: #{live.number} ({live.revision[:7]}) {live.line}"] if live else ["nothing is live"]
    lines += [f"latest rollback: #{back.bad} to #{back.to}: {back.because}"] if back else []
    return "\n".join(line for line in lines if line)
