"""A mail server for tests, by aiosmtpd: python3 server.py DIRECTORY [CERTIFICATE KEY].

It prints its port. What it does with a mail says the address of the recipient: `bounced-…` is refused for ever, `later-…` is
refused for now twice, `hung-…` is left without an answer once, `relayed-…` is refused as by a relay that is closed to us, and
`rejected-…` after its text. What it takes is DIRECTORY/<number>.eml, with the recipient in the header X-Rcpt-To. With a certificate
it takes nothing before STARTTLS.
"""

import asyncio
import collections
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: collections.Counter[str] = collections.Counter()
        self.taken = 0

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        kind = address.split("-")[0]
        self.asked[address] += 1
        if kind == "bounced":
            return "550 5.1.1 there is no such mailbox"
        if kind == "relayed" and self.asked[address] == 1:
            return "550 5.7.1 relaying denied"
        if kind == "later" and self.asked[address] < 3:
            return "451 4.7.1 greylisted, try again later"
        if kind == "hung" and self.asked[address] == 1:
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient taken"

    async def handle_DATA(self, server, session, envelope) -> str:
        if envelope.rcpt_tos[0].startswith("rejected-"):
            return "554 5.6.0 this text is not taken"
        self.taken += 1
        header = f"X-Rcpt-To: {envelope.rcpt_tos[0]}\r\nX-Encrypted: {session.ssl is not None}\r\n"
        fresh = self.directory / f"{self.taken}.new"
        fresh.write_bytes(header.encode() + envelope.content)
        fresh.rename(self.directory / f"{self.taken}.eml")
        return "250 2.0.0 taken"


async def main() -> None:
    directory, *pair = sys.argv[1:]
    context = None
    if pair:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*pair)
    handler = Handler(Path(directory))
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="localhost", tls_context=context, require_starttls=context is not None),
        "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
