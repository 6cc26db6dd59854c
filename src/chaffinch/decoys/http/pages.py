"""What a host's web server shows: the package's welcome page, or a device's login page. The kinds are a data table."""

import time

import msgspec

from chaffinch.caches import remembered
from chaffinch.personas.persona import Persona, Service

_WELCOME_STYLE = {
    True: "<style>\nhtml { color-scheme: light dark; }\nbody { width: 35em; margin: 0 auto;\n"
    "font-family: Tahoma, Verdana, Arial, sans-serif; }\n</style>\n",
    False: "<style>\n    body {\n        width: 35em;\n        margin: 0 auto;\n"
    "        font-family: Tahoma, Verdana, Arial, sans-serif;\n    }\n</style>\n",
}
_WELCOME = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
{style}</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""


class Kind(msgspec.Struct, frozen=True):
    """A kind of device page: where its form goes, what its fields are called, what it says and looks like."""

    title: str
    action: str
    user: str
    secret: str
    button: str
    failed: str
    background: str
    accent: str
    status: tuple[tuple[str, str], ...] = ()


KINDS = {
    "printer": Kind(
        "{model} - Embedded Web Server", "/hp/device/signin", "agentIdSelect", "PasswordTextBox", "Sign In",
        "The user name or password is incorrect.", "#f0f0f0", "#0096d6",
        (("Status", "Ready"), ("Black Cartridge", "61%"), ("Tray 2", "Letter, plain")),
    ),
    "router": Kind(
        "{model} Login", "/login.cgi", "username", "password", "Login", "Invalid username or password.",
        "#22313f", "#f39c12", (("WAN", "Connected"), ("Wireless", "Enabled"), ("DHCP clients", "7")),
    ),
    "iot": Kind(
        "{model}", "/cgi-bin/login", "user", "passwd", "Log in", "Login failed: bad credentials.", "#e8eef2", "#2d7dd2",
        (("Mode", "Automatic"), ("Sensor", "OK"), ("Cloud", "Not linked")),
    ),
    "camera": Kind(
        "{model} Network Camera", "/login.cgi", "username", "password", "Login", "Incorrect user name or password.",
        "#1b1b1b", "#d71920", (("Stream 1", "1920x1080, 25 fps"), ("Recording", "On"), ("Storage", "Normal")),
    ),
    "monitoring": Kind(
        "{model}", "/index.php", "name", "password", "Sign in",
        "Incorrect user name or password or account is temporarily blocked.",
        "#ebeef0", "#d40000", (("Server running", "Yes"), ("Hosts (enabled)", "148"), ("Problems", "3")),
    ),
    "devops": Kind(
        "Sign in [{model}]", "/j_spring_security_check", "j_username", "j_password", "Sign in",
        "Invalid username or password",
        "#ffffff", "#335061", (("Build queue", "empty"), ("Executors", "2 idle"), ("Last build", "#412, stable")),
    ),
    "voip": Kind(
        "{model} Web Management", "/cgi-bin/dologin", "username", "P2", "Login", "Wrong username or password.",
        "#f5f5f5", "#003e7e", (("Account 1", "Registered"), ("Account 2", "Not configured"), ("Phone", "Idle")),
    ),
    "plc": Kind(
        "{model}", "/FormLogin", "Login", "Password", "Log in", "Login failed.", "#d5dde0", "#009999",
        (("Operating mode", "RUN"), ("Module", "OK"), ("Forced variables", "No")),
    ),
    "nas": Kind(
        "{model}", "/webman/login.cgi", "username", "passwd", "Sign In",
        "The account or password is invalid. Please try again.",
        "#2b5876", "#057feb", (("Volume 1", "Normal"), ("Used", "71%"), ("Backup", "Completed")),
    ),
    "login": Kind(
        "{model}", "/login", "username", "password", "Sign in", "Invalid username or password.", "#f6f8fa", "#24292f",
        (("Service", "Running"),),
    ),
}  # fmt: skip
"""Each value of the option `page`."""

_FORM = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="/assets/style.css">
</head>
<body>
<div class="box">
<h1>{title}</h1>
{message}<form method="post" action="{action}">
<label for="u">User name</label>
<input id="u" type="text" name="{user}" autocomplete="username">
<label for="p">Password</label>
<input id="p" type="password" name="{secret}" autocomplete="current-password">
<button type="submit">{button}</button>
</form>
</div>
</body>
</html>
"""

_STATUS = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="/assets/style.css">
</head>
<body>
<div class="box">
<h1>{title}</h1>
<table>
{rows}</table>
</div>
</body>
</html>
"""

_STYLE = """body {{ margin: 0; background: {background}; font: 14px Arial, Helvetica, sans-serif; color: #333; }}
.box {{ width: 340px; margin: 90px auto; padding: 24px; background: #fff; border-top: 4px solid {accent}; }}
h1 {{ margin: 0 0 18px; font-size: 19px; font-weight: normal; }}
label {{ display: block; margin: 10px 0 4px; }}
input {{ width: 100%; box-sizing: border-box; padding: 7px; border: 1px solid #bbb; }}
button {{ margin-top: 16px; padding: 8px 22px; border: 0; background: {accent}; color: #fff; }}
.error {{ color: #b00020; }}
td {{ padding: 4px 12px 4px 0; }}
"""


@remembered(8)
def welcome(version: str) -> bytes:
    """The page that the nginx package of that version installs."""
    numbers = tuple(int(part) for part in version.split(" ", 1)[0].split(".")[:2] if part.isdigit())
    return _WELCOME.format(style=_WELCOME_STYLE[not numbers or numbers >= (1, 21)]).encode()


def kind_of(service: Service) -> Kind | None:
    """The page kind that the service's options ask for; a title alone gives the plain login page."""
    name = service.option("page")
    if not name and not service.option("title"):
        return None
    return KINDS.get(name, KINDS["login"])


def title(kind: Kind, persona: Persona, service: Service) -> str:
    """The page's title: the option `title`, else the kind's with the option `model` or the host's name in it."""
    return service.option("title") or kind.title.format(model=service.option("model") or persona.hostname)


def form(kind: Kind, name: str, message: str = "") -> bytes:
    """The login page, with what went wrong."""
    return _FORM.format(
        title=_escape(name),
        message=f'<p class="error">{_escape(message)}</p>\n' if message else "",
        action=kind.action,
        user=kind.user,
        secret=kind.secret,
        button=kind.button,
    ).encode()


def style(kind: Kind) -> bytes:
    """The stylesheet of the device's pages."""
    return _STYLE.format(background=kind.background, accent=kind.accent).encode()


def status(kind: Kind, name: str, persona: Persona) -> bytes:
    """What a login opens: the device's state."""
    minutes = int(time.time() - persona.booted(time.time())) // 60
    rows = (
        ("Host name", persona.hostname),
        ("IP address", persona.address),
        ("MAC address", persona.mac),
        ("Uptime", f"{minutes // 1440} d {minutes // 60 % 24} h {minutes % 60} min"),
        *kind.status,
    )
    cells = "".join(f"<tr><td>{_escape(label)}</td><td>{_escape(value)}</td></tr>\n" for label, value in rows)
    return _STATUS.format(title=_escape(name), rows=cells).encode()


def _escape(text: str) -> str:
    # `html.escape` would bring a table of two thousand entities into every process.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
