"""Routes of accounts and tokens in the contract's slash form; config.slashes serves the other form too."""

from django.urls import path

from users.api import accounts, service, tokens

urlpatterns = [
    path("api/token/", tokens.PersonalTokens.as_view(), name="token-list"),
    path("api/token/refresh/", tokens.Refresh.as_view(), name="token-refresh"),
    path("api/token/rotate/", tokens.Rotate.as_view(), name="token-rotate"),
    path("api/token/blacklist/", tokens.Blacklist.as_view(), name="token-blacklist"),
    path("api/jwt/settings", tokens.JWTSettings.as_view(), name="jwt-settings"),
    path("api/current-user", accounts.CurrentUser.as_view(), name="current-user"),
    path("api/current-user/whoami", accounts.WhoAmI.as_view(), name="whoami"),
    path("api/current-user/hotkeys/", accounts.Hotkeys.as_view(), name="hotkeys"),
    path("api/current-user/token", tokens.LegacyKey.as_view(), name="legacy-key"),
    path("api/current-user/reset-token/", tokens.ResetLegacyKey.as_view(), name="legacy-key-reset"),
    path("api/users/", accounts.Users.as_view(), name="user-list"),
    path("api/users/<int:pk>/", accounts.UserDetail.as_view(), name="user-detail"),
    path("api/version/", service.Version.as_view(), name="version"),
    path("health", service.Health.as_view(), name="health"),
]
