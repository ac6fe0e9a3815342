"""Main: releases that verify themselves, and are rolled back where they cannot."""
