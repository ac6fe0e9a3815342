"""The slice of GitHub's OpenAPI description that the fake forge is held to."""
