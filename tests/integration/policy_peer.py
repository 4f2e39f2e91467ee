"""What policy.py needs to know of the other end: a PCRF over Rx (tests/pcrf), or a PCF over N5 (tests/pcf)."""


class RxPeer:
    """labpcrfd: commands AAR and STR, numbers for types and states."""

    mode, node = "rx", "pcrf"
    audio, video, both = 0, 1, 2
    yes, end, subscription = "AAA SUCCESS", "STR", "sip:"
    refusals = (({"experimentalCode": 5065}, 503, "IP-CAN_SESSION_NOT_AVAILABLE"),
                ({"experimentalCode": 5063}, 488, "REQUESTED_SERVICE_NOT_AUTHORIZED"))
    silent = {"silent": True}
    keeps_session = {"resultCode": 5012}
    unknown = "STA DIAMETER_UNKNOWN_SESSION_ID"
    extra = "diameter: {request_timeout_ms: 1500}\n"
    done, nobody = 2001, 5002		# what the P-CSCF answers when it is told something
    lost, failed = ("event", {"actions": [2]}), ("event", {"actions": [9]})
    over = ("abort", {"cause": 0})
    result = "resultCode"

    @staticmethod
    def asking(**how):
        """The rules of misbehaviour when it is asked."""
        return [dict(how, command="AAR")]

    @staticmethod
    def ending(**how):
        """When a session ends."""
        return [dict(how, command="STR")]

    @staticmethod
    def asked(number, kind, state, first=True):		# pylint: disable=unused-argument
        """A question in the history."""
        return f"AAR {number}/{kind}/{state}"

    @staticmethod
    def is_question(event):
        """Is it one?"""
        return event.startswith("AAR")


class N5Peer:
    """labpcfd: create, update and delete; names for types and states."""

    mode, node = "n5", "pcf"
    audio, video, both = "AUDIO", "VIDEO", "ENABLED"
    yes, end, subscription = "answer 201", "delete", "imsi-"
    refusals = (({"status": 500, "cause": "PDU_SESSION_NOT_AVAILABLE"}, 503, "PDU_SESSION_NOT_AVAILABLE"),
                ({"status": 403, "cause": "REQUESTED_SERVICE_NOT_AUTHORIZED"}, 488, "REQUESTED_SERVICE_NOT_AUTHORIZED"))
    silent = {"how": "silent"}
    keeps_session = {"status": 404}
    unknown = None			# a session has a name only once it is there
    extra = ""
    done, nobody = 204, 404
    lost = failed = ("event", {"event": "FAILED_RESOURCES_ALLOCATION"})
    over = ("terminate", {})
    result = "status"

    @staticmethod
    def asking(**how):
        """The rules of misbehaviour when it is asked."""
        return [dict(how, command="create"), dict(how, command="update")]

    @staticmethod
    def ending(**how):
        """When a session ends."""
        return [dict(how, command="delete")]

    @staticmethod
    def asked(number, kind, state, first=True):
        """A question in the history."""
        return f"{'create' if first else 'update'} {number}/{kind}/{state}"

    @staticmethod
    def is_question(event):
        """Is it one?"""
        return event.startswith(("create", "update"))


PEERS = {"rx": RxPeer, "n5": N5Peer}
