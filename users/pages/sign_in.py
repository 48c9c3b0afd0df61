"""Signing in and out with a browser session; the API's tokens are not its business."""

from django import forms
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpResponse
from django.utils import timezone

from users.models import User
from users.organizations import is_active_member


class LoginForm(AuthenticationForm):
    """Email and password; the message does not tell which of the two was wrong, so that nobody can list our users."""

    username = forms.EmailField(
        label="Email", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    error_messages = {
        "invalid_login": "Email or password is wrong. Check both; the password is case-sensitive.",
        "inactive": "This account is switched off. Ask a member of your organization.",
        "revoked": "You are no longer a member of an organization here. Ask one of its members to add you again.",
    }

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if not is_active_member(user):
            raise forms.ValidationError(self.error_messages["revoked"], code="revoked")


class Login(views.LoginView):
    """Sends on to ``next`` only within this host, else to LOGIN_REDIRECT_URL."""

    form_class = LoginForm
    template_name = "users/login.html"

    def form_valid(self, form: LoginForm) -> HttpResponse:
        User.objects.filter(pk=form.get_user().pk).update(last_activity=timezone.now())
        return super().form_valid(form)


class Logout(views.LogoutView):
    """POST only, so that no foreign page can sign people out with a link."""

    next_page = "/user/login/"
