"""What is said of a deploy: pure functions from what is known to whole words.

state           a word and a line: dashboard, API, command line
commit_reports  commit status, check run and deployment, on the commits of main
comments        on the pull requests that were merged
notices         to people, through their routes
"""

from controller.deploys.comment import comments
from controller.deploys.commit_report import commit_reports
from controller.deploys.state import State, state
from controller.deploys.tidings import notices

__all__ = ["State", "comments", "commit_reports", "notices", "state"]
