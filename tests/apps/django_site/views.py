import hashlib

from django.http import JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


@csrf_exempt
@require_POST
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.md5()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"name": file.name, "size": file.size, "md5": digest.hexdigest()})


def words(request):
    number = int(request.GET["n"])
    return StreamingHttpResponse(f"word{i} " for i in range(number))
