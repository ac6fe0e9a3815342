"""What needs a real cluster: KUBECONFIG, and in MAYFLY_TEST_IMAGE one with Mayfly and PostgreSQL for its nodes."""
