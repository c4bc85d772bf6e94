"""The limits of signing in, all of them settings (`ROUNDBOOK_SESSION_IDLE_MINUTES` and so on)."""

import msgspec


class SignInLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Times in the unit of their names. The defaults are those of OWASP ASVS 5.0 and NIST SP 800-63B-4."""

    session_idle_minutes: int = 30
    """A session that was not used for so long is over."""
    session_hours: int = 12
    """A session is over after so long, however much it is used."""
    link_hours: int = 24
    """How long a one-time link for a password is valid."""
    password_chars_min: int = 12
    sign_in_failures: int = 5
    """Failures in a row that an account may have before it has to wait."""
    sign_in_wait_s_max: int = 900
    """The wait doubles with each further failure, from a second up to this."""
    sign_in_failures_per_address: int = 200
    """Failures of one address in a minute, to one worker process. A whole office may sit behind one address."""
