"""Groups of clients."""

from django import forms

from tenants.models import Client, ClientGroup


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]  # a ModelForm takes no type at run time
    """A group's name, place and clients."""

    class Meta:
        model = ClientGroup
        fields = ("name", "order", "clients")
        labels = {"order": "Place in the list"}
        help_texts = {"order": "Groups with smaller numbers come first."}
        widgets = {"clients": forms.CheckboxSelectMultiple}

    def __init__(self, *args: object, clients: list[Client], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        field = self.fields["clients"]
        assert isinstance(field, forms.ModelMultipleChoiceField)  # noqa: S101 - it is declared so
        # Those whom the user sees; others in the group stay in it, see `save_group`.
        field.queryset = Client.objects.filter(pk__in=[one.pk for one in clients]).order_by("name")
