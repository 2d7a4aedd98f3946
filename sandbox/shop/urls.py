from django.urls import path

from . import views

app_name = "sandbox"
urlpatterns = [
    path("", views.start, name="start"),
    path("store/", views.choose_store, name="store"),
    path("time/", views.Clock.as_view(), name="time"),
    path("mails/", views.MailList.as_view(), name="mails"),
    path("mails/<str:name>/", views.mail_detail, name="mail"),
    path("mails/<str:name>/html/", views.mail_html, name="mail-html"),
]
