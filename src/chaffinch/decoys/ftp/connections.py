"""How a client's next data connection comes about: PASV, EPSV, PORT, EPRT."""

from chaffinch.decoys.ftp.data import DataError, Passive, Transfer
from chaffinch.decoys.ftp.replies import DENIED, reply
from chaffinch.decoys.session import Session

_NO_DATA = reply(425, "Failed to establish connection.")


class DataConnections:
    """What one client prepared for its next transfer."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.only_extended = False
        self.passive: Passive | None = None
        self.active = False

    def close(self) -> None:
        """Give back what the client prepared and did not use."""
        if self.passive is not None:
            self.passive.close()
            self.passive = None

    def _listen(self) -> Passive | None:
        self.close()
        self.active = False
        try:
            self.passive = Passive(self.session.address, self.session.source)
        except OSError:
            return None
        return self.passive

    async def pasv(self, argument: str) -> bytes:
        if self.only_extended:
            return DENIED
        passive = self._listen()
        if passive is None:
            return _NO_DATA
        numbers = [*self.session.address.split("."), str(passive.port >> 8), str(passive.port & 255)]
        return reply(227, f"Entering Passive Mode ({','.join(numbers)}).")

    async def epsv(self, argument: str) -> bytes:
        if argument.upper() == "ALL":
            self.only_extended = True
            return reply(200, "EPSV ALL ok.")
        if argument and argument != "1":
            return reply(522, "Bad network protocol.")
        passive = self._listen()
        return _NO_DATA if passive is None else reply(229, f"Entering Extended Passive Mode (|||{passive.port}|)")

    async def port(self, argument: str) -> bytes:
        """Accepted for the client's own address, as by the product; but a decoy never connects out."""
        if self.only_extended:
            return DENIED
        parts = argument.split(",")
        numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 4]
        if len(parts) != 6 or len(numbers) != 6 or max(numbers) > 255:
            return reply(500, "Illegal PORT command.")
        return self._activate(".".join(map(str, numbers[:4])), numbers[4] << 8 | numbers[5], "PORT", "PASV")

    async def eprt(self, argument: str) -> bytes:
        parts = argument.split(argument[:1]) if argument else []
        if not argument or (len(parts) > 2 and parts[1] not in ("1", "2")):
            return reply(500, "Bad EPRT protocol.")
        if len(parts) != 5 or not (parts[3].isascii() and parts[3].isdigit()):
            return reply(500, "Bad EPRT command.")
        return self._activate(parts[2], int(parts[3][:6]), "EPRT", "EPSV")

    def _activate(self, address: str, number: int, verb: str, better: str) -> bytes:
        self.close()
        if address != self.session.source or not 1024 <= number < 65536:
            return reply(500, f"Illegal {verb} command.")
        self.active = True
        return reply(200, f"{verb} command successful. Consider using {better}.")

    def prepared(self) -> bytes:
        """The refusal of a transfer for which nothing was prepared; empty if it may go on."""
        return b"" if self.passive is not None or self.active else reply(425, "Use PORT or PASV first.")

    async def connect(self) -> Transfer | None:
        """The data connection, or None once the client was told that there is none."""
        passive, self.passive = self.passive, None
        if passive is None:
            self.active = False
            await self.session.sleep(1.0)
            self.session.write(_NO_DATA)
            return None
        try:
            return await passive.accept()
        except DataError:
            self.session.write(_NO_DATA)
            return None
        finally:
            passive.close()

    async def send(self, before: bytes, content: bytes, after: bytes, broken: bytes) -> None:
        """Send `content`; the client is told `before`, and then `after`, or `broken` if it did not take everything."""
        transfer = await self.connect()
        if transfer is None:
            return
        self.session.write(before)
        self.session.hold(len(content))
        try:
            await transfer.send(self.session, content)
        except DataError:
            after = broken
        finally:
            transfer.close()
            self.session.hold(0)
        self.session.write(after)
