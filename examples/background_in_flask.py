"""A Flask app that asks a service in the mixnet.

ENV=net.env ADDRESS=... flask --app background_in_flask run
"""

import os

from flask import Flask

from nymproxy import BackgroundClient, InBackground, MixnetClient


def make_app(background: InBackground[BackgroundClient], address: str) -> Flask:
    app = Flask(__name__)
    client = background.start()  # a thread of its own; it ends with the process

    def ask(question: str) -> bytes:
        with client.open_stream(address) as stream:
            stream.send(question.encode())
            stream.send_eof()
            return b"".join(stream)

    app.add_url_rule("/ask/<question>", view_func=ask)
    return app


def create_app() -> Flask:
    """What `flask run` calls, once in each worker: after the fork, where servers fork."""
    # "bare" hides nothing, and is for local networks: leave it out elsewhere.
    background = MixnetClient.in_background(os.environ["ENV"], profile="bare")
    return make_app(background, os.environ["ADDRESS"])
