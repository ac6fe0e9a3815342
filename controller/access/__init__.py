"""Who may ask what: tokens, their scopes, and what was done with them."""
