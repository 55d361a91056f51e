"""An SMTP server on a free loopback port: prints `port N`, then one line of JSON for each mail it took.

smtp-server.py tls|starttls|plain CERTIFICATE KEY USER PASSWORD [REPLY...]
Each REPLY is given to one mail instead of taking it. Ends when its standard input closes.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, replies):
        self.replies = replies

    async def handle_DATA(self, server, session, envelope):
        if self.replies:
            return self.replies.pop(0)
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None,
            "user": getattr(session, "auth_data", None),
            "data": envelope.content.decode("utf-8"),
        }
        print(json.dumps(mail), flush=True)
        return "250 taken"


async def main(mode, certificate, key, user, password, *replies):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if mode != "plain":
        context.load_cert_chain(certificate, key)
    handler = Handler(list(replies))

    def authenticate(server, session, envelope, mechanism, data):
        right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False, auth_data=data.login.decode())

    def protocol():
        return SMTP(
            handler,
            hostname="localhost",
            tls_context=context if mode == "starttls" else None,
            require_starttls=mode == "starttls",
            auth_required=bool(user),
            # Under TLS from the first byte the library sees a plain connection.
            auth_require_tls=mode == "starttls",
            authenticator=authenticate,
        )

    implicit = context if mode == "tls" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
