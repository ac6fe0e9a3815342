"""Objects as repositories write them; a test states only what differs."""

import copy

from controller.settings import Entrance, Images, Kubernetes

NAMESPACE = "preview-pr-7-shop"
HOST = "pr-7-shop.preview.example"
POLICY = Kubernetes(registries=["ghcr.io/acme", "docker.io/library"], pull_secrets=["acme-pull"])
INGRESS_POLICY = Kubernetes(entrance=Entrance(kind="ingress", ingress_class="nginx"))
ROUTE_POLICY = Kubernetes(entrance=Entrance(kind="httproute"))
RUNNER = Kubernetes(images=Images(runner="acme/runner"))
IMAGE = "ghcr.io/acme/web:1"


def an_object(kind="ConfigMap", api_version="v1", name="web", **more):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **copy.deepcopy(more)}


def a_container(**changes):
    return {"name": "web", "image": IMAGE, **changes}


def a_pod_spec(**changes):
    return {"containers": [a_container()], **changes}


def a_template(spec=None, **metadata):
    return {"metadata": {"labels": {"app": "web"}, **metadata}, "spec": spec or a_pod_spec()}


def a_deployment(spec=None, name="web", **metadata):
    template = a_template(spec)
    made = an_object(
        "Deployment", "apps/v1", name, spec={"selector": {"matchLabels": {"app": "web"}}, "template": template}
    )
    made["metadata"] |= metadata
    return made


def a_service(**spec):
    return an_object("Service", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}], **spec})


def a_cron_job(spec=None):
    job = {"spec": {"template": a_template(spec)}}
    return an_object("CronJob", "batch/v1", spec={"schedule": "0 4 * * *", "jobTemplate": job})


def an_ingress(host=HOST, annotations=None, **spec):
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    made = an_object("Ingress", "networking.k8s.io/v1", spec={"rules": [rule], **spec})
    made["metadata"]["annotations"] = annotations or {}
    return made


def a_route(**spec):
    parent = {"name": "mayfly", "namespace": "mayfly"}
    rules = [{"backendRefs": [{"name": "web", "port": 80}]}]
    whole = {"hostnames": [HOST], "parentRefs": [parent], "rules": rules, **spec}
    return an_object("HTTPRoute", "gateway.networking.k8s.io/v1", spec=whole)
