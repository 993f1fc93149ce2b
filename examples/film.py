"""Makes a film over the HTTP API: post a job, follow its events, fetch what came out.

python -m lib_anim serve --port 7870
python examples/film.py http://127.0.0.1:7870 seasons.mp4
"""

import json
import sys
from urllib.request import Request, urlopen

url, film = sys.argv[1].rstrip("/"), sys.argv[2]
engine = sys.argv[3] if len(sys.argv) > 3 else "demo"
settings = {"frames": 24, "fps": 12, "width": 128, "height": 128, "steps": 8, "zoom": "0:(1.02)"}
settings["prompts"] = {"0": "spring meadow", "50%": "winter, snow"}
body = json.dumps({"kind": "keyframed", "engine": engine, "settings": settings}).encode()
request = Request(f"{url}/flipbook/v1/jobs", body, {"Content-Type": "application/json"})
job = json.load(urlopen(request))["ids"][0]
for line in urlopen(f"{url}/flipbook/v1/jobs/{job}/events"):
    if line.startswith(b"data: "):
        event = json.loads(line[6:])
        print(event.get("phase") or event.get("status") or f"{event['done']} of {event['frames']}")
with open(film, "wb") as file:
    file.write(urlopen(f"{url}/flipbook/v1/jobs/{job}/film").read())
