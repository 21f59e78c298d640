"""rabbitmqadmin, as RabbitMQ 3.x and 4.x bring it: declares, lists and deletes what operators look after."""

import importlib.util
import json
import os
import subprocess
import sys
import urllib.parse

import broker
from broker import Mismatch, same

SCRIPT = "rabbitmqadmin.upstream.rabbitmqadmin_original"


def admin(*words):
    """What the tool prints, which must end well."""
    script = importlib.util.find_spec(SCRIPT).origin
    port = os.environ.get("MANAGEMENT_PORT", "15672")
    login = ["-u", broker.USER, "-p", broker.PASSWORD]
    done = subprocess.run(
        [sys.executable, script, "-H", broker.HOST, "-P", port, *login, *words],
        capture_output=True,
        text=True,
        timeout=broker.WAIT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise Mismatch(f"rabbitmqadmin {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def rows(*words, vhost=None):
    """What the tool lists, without what others made."""
    options = ["-V", vhost] if vhost else []
    return json.loads(admin("-f", "raw_json", *options, "list", *words))


def fails(words, text):
    """The tool must end with an error that says this."""
    try:
        admin(*words)
    except Mismatch as mismatch:
        broker.holds(text in str(mismatch), f"{text!r} in {mismatch}")
    else:
        raise Mismatch(f"rabbitmqadmin {' '.join(words)} went well")


def main(stage):
    vhost, user = stage.name("v/host"), stage.name("user")

    def mine(items):
        return [item for item in items if item.get("name") in (vhost, user)]

    same(admin("declare", "vhost", f"name={vhost}", "tracing=false").strip(), "vhost declared", "declare")
    admin("declare", "user", f"name={user}", "password=p", "tags=management")
    admin("declare", "permission", f"vhost={vhost}", f"user={user}", "configure=.*", "write=", "read=^q")
    # RabbitMQ does not choose columns here.
    same([row["tracing"] for row in mine(rows("vhosts", "name", "tracing"))], [False], "list vhosts")
    same(mine(rows("users", "name", "tags")), [{"name": user, "tags": ["management"]}], "list users")
    granted = [row for row in rows("permissions") if row["user"] == user]
    wanted = {"user": user, "vhost": vhost, "configure": ".*", "write": "", "read": "^q"}
    same(granted, [wanted], "list permissions")

    definition = '{"max-length":5}'
    policy = ["name=pol", "pattern=^a", f"definition={definition}", "priority=3", "apply-to=queues"]
    admin("-V", vhost, "declare", "policy", *policy)
    laid_down = rows("policies", "name", "definition", vhost=vhost)
    same(laid_down, [{"name": "pol", "definition": {"max-length": 5}}], "list policies")
    admin("-V", vhost, "declare", "operator_policy", *policy)
    same([row["priority"] for row in rows("operator_policies", vhost=vhost)], [3], "list operator_policies")
    parameter = ["component=vhost-limits", "name=limits", 'value={"max-queues":7}']
    admin("-V", vhost, "declare", "parameter", *parameter)
    limits = [row["value"] for row in rows("parameters", vhost=vhost) if row["component"] == "vhost-limits"]
    same(limits, [{"max-queues": 7}], "list parameters")

    fails(["-V", vhost, "declare", "policy", "name=x", "pattern=(", f"definition={definition}"], "pattern")
    fails(["-V", vhost, "delete", "policy", "name=x"], urllib.parse.quote(vhost, safe=""))

    admin("-V", vhost, "delete", "policy", "name=pol")
    admin("-V", vhost, "delete", "operator_policy", "name=pol")
    admin("-V", vhost, "delete", "parameter", *parameter[:2])
    same(rows("policies", vhost=vhost), [], "policies after the deletion")
    admin("delete", "permission", f"vhost={vhost}", f"user={user}")
    admin("delete", "user", f"name={user}")
    admin("delete", "vhost", f"name={vhost}")
    same(mine(rows("vhosts", "name")) + mine(rows("users", "name")), [], "what is left")


if __name__ == "__main__":
    broker.run(main)
