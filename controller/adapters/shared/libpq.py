"""What is in a database URL. Pure."""

from urllib.parse import parse_qs, quote, unquote, urlsplit


def libpq(url: str) -> dict[str, str]:
    """A database URL as libpq's variables: a command line would show the password to everybody on this machine."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    known = {
        "PGHOST": query.get("host") or parts.hostname,
        "PGPORT": query.get("port") or (str(parts.port) if parts.port else None),
        "PGUSER": unquote(parts.username or "") or query.get("user"),
        "PGPASSWORD": unquote(parts.password or "") or query.get("password"),
        "PGDATABASE": unquote(parts.path.lstrip("/")) or None,
    }
    return {name: value for name, value in known.items() if value}


def passwords(url: str) -> tuple[str, ...]:
    """The password of a database URL, plain and as it stands in one; none where it has none."""
    password = urlsplit(url).password
    return tuple(dict.fromkeys((unquote(password), quote(unquote(password))))) if password else ()
