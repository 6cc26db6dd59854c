"""Word lists that fleets draw from. This file is a data table; a change to it changes every persona."""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _listed(
    """
    Adam Agnes Alan Albert Alice Amir Amy Andrea Anita Anna Anton Arthur Barbara Ben Bruno Carla Carlos Cathy
    Charles Chloe Clara Claire Craig Dana Daniel David Deborah Denise Diego Dieter Elena Eli Emma Eric Erin Eva
    Felix Fiona Frank Gavin Gemma George Gloria Grace Greta Hana Hannah Harold Helen Henry Ian Ingrid Irene Isaac
    Ivan Jack James Jane Jason Jean Joan Joel Jonas Julia Karen Karl Kate Keith Kevin Laura Leah Leo Liam Linda
    Lisa Lucas Maria Mark Martin Mary Max Megan Mia Michael Mona Nadia Nathan Neil Nina Nora Oliver Omar Oscar
    Patrick Paul Peter Petra Rachel Ralph Rita Robert Rosa Ruth Sam Sandra Sara Simon Sofia Stefan Steve Susan
    Sven Tania Thomas Tim Tom Vera Victor Walter Wendy Yusuf Zoe
    """
)

LAST_NAMES = _listed(
    """
    Abbott Acker Adler Allan Amari Archer Ashby Bailey Barlow Becker Bell Bennett Berger Bianchi Blake Boyd Brandt
    Brooks Burke Byrne Calder Carver Chen Clarke Colby Conti Corbin Crane Dalton Davis Decker Delgado Dixon Doyle
    Drake Duffy Eaton Ebert Ellis Engel Farrell Fischer Fleming Flores Foster Fox Franke Fuller Garner Gibbs Goss
    Grant Gray Haas Hale Harker Hayes Heller Hobbs Holt Hughes Hunt Ivers Jansen Jarvis Keller Kemp Kent Khan
    Klein Knight Kovac Lange Larkin Lehman Lloyd Lopez Lowe Lynch Maier Marsh Mason Mercer Meyer Miles Mills
    Moreno Morgan Nash Neumann Nolan Novak Olsen Osborne Owens Parker Patel Pearce Perez Pike Porter Quinn Ramsey
    Reid Reyes Roth Russo Sander Schmidt Shaw Silva Slater Stone Sutton Tate Tucker Turner Vance Vogel Wagner
    Walsh Weber Whelan Winter Wolf Wood Yates Young Zeller
    """
)

SITES = _listed(
    """
    ams ath atl ber bhx bos bre bru bud cgn chi cph dal den dor dre dub dus edi ess fra gla got gra gva ham han
    hel ist kln lds lei lis liv lon lux lyo mad man mil mtl muc nap nce ncl nue osl par phl poz prg rig rom rot
    sea sof sto str tal tor tur val vie waw
    """
)

COMPANY_NAMES = _listed(
    """
    alder amber ashford aston barlow beacon birch bluewater bramley brook calder canton castle cedar clifton
    copper corvin crestline dalby elmwood everly fairfax falcon fenwick garnet glenmore granite greenfield halden
    harbor hartley hawthorn heron highgate holmes juniper kestrel kingsley lakeside langley larch linden marlow
    meridian millbrook norden northgate oakridge orchard osprey pinecrest quarry redwood ridgeway rowan silverline
    stanton stonebridge summit tamar thornton vantage westbrook willow
    """
)

COMPANY_TRADES = _listed(
    """
    analytics bank brewing care ceramics components controls dental dynamics electric energy engineering estates
    foods freight group health holding industries insurance kitchens labs legal logistics machining marine media
    medical metals mills mobility motors optics paper partners pharma plastics polymers power precision press rail
    retail robotics services shipping solar steel supply systems textiles tools trading transport travel turbines
    water works
    """
)

DOMAIN_PATTERNS = (
    "{name}.internal",
    "{name}.lan",
    "corp.{name}.internal",
    "int.{name}.internal",
    "ad.{name}.internal",
    "{short}.internal",
    "{short}.lan",
    "hq.{name}.lan",
)
"""`.internal` is set aside for private use (ICANN, 2024), `.lan` was never delegated: no name can meet a real one."""

LOGIN_PATTERNS = ("{f}{last}", "{first}.{last}", "{last}{f}", "{first}{l}", "{f}.{last}", "{first}{last}")

WEAK_PASSWORDS = _listed(
    """
    123456 password 12345678 qwerty 123456789 12345 1234 111111 1234567 dragon 123123 abc123 letmein admin welcome
    monkey login princess qwerty123 solo passw0rd starwars master hello freedom whatever trustno1 654321 superman
    1qaz2wsx 7777777 michael football baseball shadow sunshine iloveyou 123321 666666 password1 1234567890
    admin123 root toor changeme default guest test test123 user support oracle raspberry P@ssw0rd Passw0rd1
    Welcome1 p@ssword pass123 pass secret
    """
)
"""Sixty of the passwords that every published list of common ones begins with."""
