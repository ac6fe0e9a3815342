"""What the rooms have in common: nouns, what an application is, and words for people. Nothing here decides."""
