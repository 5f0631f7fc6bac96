"""ports.py - loopback ports for a test's servers."""
import random
import socket

# Below those that the kernel lends to clients: between the look and the server's start nobody else comes upon one.
PORTS = range(10000, 32768)


def free_ports(count):
    """Free for TCP and UDP; at random, so that tests that run at a time do not meet."""
    ports = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError("no %d ports are free" % count)
