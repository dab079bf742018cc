"""The HTTP answers with the form's pages: rendered, with their security policy, and with the form's cookie."""

from urllib.parse import urlencode, urlsplit

from flask import Response, render_template, request

from cds_service.card.style import ISO
from cds_service.documentation.form_flow import FormFlow
from cds_service.documentation.messages import FormMessage, LaunchError
from cds_service.documentation.open_form import OpenForm
from cds_service.policy.model import Policy
from cds_service.store.form_sessions import IDLE_SECONDS, Begun

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors {}"
)
_FRAMES = ("iframe", "frame", "embed", "object", "fencedframe")
# The name of the cookie, and of the parameter, that test whether a frame keeps cookies.
_PROBE = "framed"
# The maximum length of a form's name in the cookie's name.
_LONGEST_NAME = 40


class FormPages:
    """Creates the pages of forms; ``public_url`` is our address, without a trailing slash."""

    def __init__(self, form_flow: FormFlow, public_url: str) -> None:
        self._form_flow = form_flow
        self._is_secure = urlsplit(public_url).scheme == "https"

    def secret_of(self, name: str) -> str:
        """The value of a form's cookie; "" if the browser has none."""
        return request.cookies.get(self._cookie(name), "") if len(name) <= _LONGEST_NAME else ""

    def with_cookie(self, answer: Response, begun: Begun) -> Response:
        """An answer that sets a form's cookie, for as long as the form may be idle."""
        answer.set_cookie(
            self._cookie(begun.name),
            begun.secret,
            max_age=IDLE_SECONDS,
            path="/",
            httponly=True,
            secure=self._is_secure,
            # In a frame of the EHR, which is another site, a browser keeps only such cookies.
            samesite="None" if self._is_secure else "Lax",
            partitioned=self._is_secure,
        )
        return answer

    def without_cookie(self, answer: Response, name: str) -> Response:
        """An answer that deletes a form's cookie."""
        answer.delete_cookie(
            self._cookie(name),
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="None" if self._is_secure else "Lax",
            partitioned=self._is_secure,
        )
        return answer

    def told(self, message: FormMessage, detail: str = "", issuer: str = "") -> Response:
        """The page that explains why the form cannot continue; frames of the EHR at ``issuer`` may show it."""
        return _page("form_message.html", message.status, self._of_issuer(issuer), message=message, detail=detail)

    def way_out_of_a_frame(self, issuer: str) -> Response | None:
        """The answer to a launch inside a frame that keeps no cookies; None outside of frames, or if cookies work.

        First the browser gets a cookie and a redirect back here. If the browser returns without the cookie, the form
        opens in a window. Until then, the EHR's launch parameter stays unused.
        """
        if request.headers.get("Sec-Fetch-Dest") not in _FRAMES or self.secret_of(_PROBE):
            return None
        asked = [(name, value) for name, value in request.args.items(multi=True) if name != _PROBE]
        if _PROBE in request.args:
            address = f"?{urlencode(asked)}"
            return _page("form_window.html", 200, self._of_issuer(issuer), address=address)
        again = Response(status=303, headers={"Location": f"?{urlencode([*asked, (_PROBE, '1')])}"})
        return self.with_cookie(again, Begun(_PROBE, "1"))

    def of_form(
        self, template: str, name: str, opened: OpenForm, policy: Policy | None, status: int = 200, **values: object
    ) -> Response:
        """A page of an open form; frames of the EHR's own origins may show it."""
        style = self._form_flow.style_of(opened)
        return _page(
            template,
            status,
            self._of_issuer(opened.issuer),
            name=name,
            opened=opened,
            policy=policy,
            written=style.date,
            day_format="YYYY-MM-DD" if style.dates == ISO else "MM/DD/YYYY",
            month_format="YYYY-MM" if style.dates == ISO else "MM/YYYY",
            **values,
        )

    def launched(self, template: str, ancestors: tuple[str, ...], **values: object) -> Response:
        """A page of a launch without a form; frames of these origins may show it."""
        return _page(template, 200, ancestors, **values)

    def _of_issuer(self, issuer: str) -> tuple[str, ...]:
        """The origins whose frames may show pages for an EHR; empty if the EHR is unknown."""
        try:
            return self._form_flow.registration(issuer).frame_ancestors
        except LaunchError:
            return ()

    def _cookie(self, name: str) -> str:
        # Only this origin can set a cookie with such a name (RFC 6265bis, 4.1.3.2).
        return f"__Host-form-{name}" if self._is_secure else f"form-{name}"


def _page(template: str, status: int = 200, ancestors: tuple[str, ...] = (), **values: object) -> Response:
    root = "../" * (request.path.count("/") - 1)
    answer = Response(render_template(template, root=root, **values), status, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY.format(" ".join(ancestors) or "'none'")
    # Without a referrer, a browser would send the form with the origin null.
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer
