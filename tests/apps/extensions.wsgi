"""Packages in C and Rust that refuse sub-interpreters, or do not work there.

/numpy          the determinant of a matrix
/cryptography   encrypts and decrypts; OpenSSL through Rust
/lxml           parses XML and asks it by XPath
/psycopg        the implementation in use, and the exception of a refused connection
"""


def numpy():
    import numpy

    return "%.0f" % numpy.linalg.det(numpy.array([[2.0, 1.0], [1.0, 3.0]]))


def cryptography():
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes

    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"dormouse")
    fernet = Fernet(Fernet.generate_key())
    return fernet.decrypt(fernet.encrypt(digest.finalize())).hex()


def lxml():
    from lxml import etree

    tree = etree.fromstring("<a><b c='1'/><b c='2'>text</b></a>")
    return tree.xpath("string(/a/b[@c='2'])")


def psycopg():
    import psycopg

    try:
        # Port 1 belongs to a service that is not running.
        psycopg.connect("host=127.0.0.1 port=1 connect_timeout=5")
    except psycopg.OperationalError as error:
        return "%s %s" % (psycopg.pq.__impl__, type(error).__name__)
    return "connected"


ANSWERS = {"/numpy": numpy, "/cryptography": cryptography, "/lxml": lxml, "/psycopg": psycopg}


def application(environ, start_response):
    body = ANSWERS[environ["PATH_INFO"]]().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
