"""The warm-up of a pre-initialized worker: throw-away jobs against stand-ins on loopback, then every trace removed."""
