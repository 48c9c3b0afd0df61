"""Routes of the pages of accounts and organizations."""

from django.urls import path

from users.pages import account, organization, sign_in

urlpatterns = [
    path("user/login/", sign_in.Login.as_view(), name="login"),
    path("user/logout/", sign_in.Logout.as_view(), name="logout"),
    path("user/account", account.account, name="account"),
    path("user/account/token", account.create_token, name="account-token"),
    path("user/account/token/<int:pk>/revoke", account.revoke_token, name="account-token-revoke"),
    path("user/account/key", account.show_key, name="account-key"),
    path("user/account/key/reset", account.reset_key, name="account-key-reset"),
    path("organization", organization.organization, name="organization"),
    path("organization/members/<int:pk>/remove", organization.remove, name="member-remove"),
    path("organization/tokens", organization.switches, name="organization-tokens"),
]
