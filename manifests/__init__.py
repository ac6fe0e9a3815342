"""Jinja2 templates of what is applied to a cluster: `preview/` is a preview, `targets/` what differs where
main runs, `checks/` what tries either.

Every value goes through `| json`; a command and an environment also through `| literal`, because Kubernetes fills in
`$(NAME)` there. Labels, sizes and addresses are worked out by `controller.adapters.kubernetes.render`.
"""
