"""Take memory until there is none."""

print("taking memory", flush=True)
taken = []
while True:
    taken.append(bytearray(b"x" * (64 << 20)))
