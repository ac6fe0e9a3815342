"""The Kubernetes platform: a namespace for every preview. The only room that knows the Kubernetes API."""
